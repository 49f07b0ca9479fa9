"""What an export in Hugging Face's layout carries; these modules run there, never in a service."""
