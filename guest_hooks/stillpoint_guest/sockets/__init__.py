"""Who listens and who is at the other end, by the kernel; connections with a bound."""
