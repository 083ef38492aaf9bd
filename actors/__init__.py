"""Actors on a cluster: the Ray actors that hold agents, their journal and their supervisor."""
