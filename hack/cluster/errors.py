"""The one error that a person sees: what went wrong and what to do, in a line."""


class ClusterError(Exception):
    """A clear line for a person; never a traceback."""
