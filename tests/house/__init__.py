"""The house rules, held by tests: who imports whom, what documents name, what no file may say."""
