"""A RouterOS emulator: the API's wire protocol over real sockets, menus with state, and faults."""
