"""The Kubernetes API as home of resources: client, `Store`, leader election, events. Nothing above knows its HTTP."""
