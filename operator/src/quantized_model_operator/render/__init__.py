"""Pure: from a plan to desired objects; one module per kind, and rendering cannot fail."""
