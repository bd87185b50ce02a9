"""What people marked on images."""
