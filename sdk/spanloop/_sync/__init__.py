"""The client on synchronous channels; generated from `_async` by tools/sync_client.py."""
