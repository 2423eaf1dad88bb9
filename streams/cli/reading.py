"""What `frontdesk indicators` shows: rows of the view `indicators`, as a table, JSON or CSV."""
