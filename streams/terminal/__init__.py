"""Where the commands meet a person or a script: options, settings, what is printed, how it ends."""
