"""Every kernel that these tests compile is verified."""
