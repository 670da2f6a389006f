"""From definitions to machine code: graph IR, passes, schedule, kernel IR, LLVM IR, objects."""
