"""The payload and the image, as `make image` builds them."""
