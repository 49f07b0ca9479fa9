"""What all services share; it knows none of them."""
