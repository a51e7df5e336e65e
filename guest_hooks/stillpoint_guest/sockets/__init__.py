"""Peers of sockets, destinations of ways, and connections with a bound."""
