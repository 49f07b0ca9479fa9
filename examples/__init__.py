"""Programs that show how Spanloop is used; they need the SDK only."""
