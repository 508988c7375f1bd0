"""ARC: the GraphQL contract between the LMOS runtime and its agents (graphql-transport-ws on `/subscriptions`)."""
