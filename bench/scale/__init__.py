"""What the benchmark of many feeds is made of: the feeds, their stores, and the processes that sync them."""
