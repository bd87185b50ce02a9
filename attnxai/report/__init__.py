"""Tables, figures and the page that people read."""
