"""Agent, Channel, ChannelRouting and ChannelRollout of `lmos.eclipse/v1`: types, ranges, loading, CRDs. Pure."""
