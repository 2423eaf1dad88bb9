"""What `frontdesk dead-letters` does."""
