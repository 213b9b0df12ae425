"""The gRPC surface: `cloudlysis/aggregate/v1/aggregate.proto` and the stubs generated from it (`make proto`), never edited by hand."""
