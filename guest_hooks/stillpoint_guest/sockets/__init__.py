"""Who is at the other end of a socket, where a way leads, and connections with a bound."""
