"""What is done around every call, one concern per module; `chain` puts them together."""
