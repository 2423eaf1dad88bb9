"""What `frontdesk publish` does."""
