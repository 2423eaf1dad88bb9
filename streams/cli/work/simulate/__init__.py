"""What `frontdesk simulate` does."""
