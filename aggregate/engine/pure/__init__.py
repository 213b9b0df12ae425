"""The pure engine, twin of `native/src` file for file: the reference of the language, and the engine where no compiled one is built."""
