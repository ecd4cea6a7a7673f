"""What several tests share: reference rules, deals, fakes, and faults to inject."""
