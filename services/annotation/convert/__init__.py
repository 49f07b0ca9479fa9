"""Messages to domain values and back. Stateless; what a message cannot say is refused here."""
