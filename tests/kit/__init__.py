"""What tests share: clocks, filled queues, directories, workers. No test imports a test."""
