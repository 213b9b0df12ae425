"""Those who watch: metrics, logs and spans, each an observer of command records. They never hold a command up."""
