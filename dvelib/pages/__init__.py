"""What people read: executed notebooks, the site, the README and published results."""
