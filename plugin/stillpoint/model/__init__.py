"""The nouns of the product: frozen records without I/O. Every other layer may use them."""
