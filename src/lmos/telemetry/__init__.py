"""Spans, metrics and logs under one table of names. Uses the OpenTelemetry API only; an SDK is the user's choice."""
