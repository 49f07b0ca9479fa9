"""The client on grpc.aio; `_sync` is generated from here by tools/sync_client.py."""
