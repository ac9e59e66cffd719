"""Address management: folders, subnets, reserved ranges, fixed addresses with quarantine, and who had what when.

Layer: above `core`, beside `radius`, below `provisioning`. It knows no subscriptions: a holder is an integer.
Commands live in `folders`, `subnets`, `reserved` and `allocation`; questions in `lookup`, `listing`, `utilisation`,
`history` and `vacancy`. How it is all laid out: `models`; how the next address is found: `vacancy`.
"""
