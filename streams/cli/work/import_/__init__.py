"""What `frontdesk import` does."""
