"""What the authors published: every number of their tables, and their claims."""
