"""What the tests share: fixtures' builders, servers, a crash injector, a simulated app."""
