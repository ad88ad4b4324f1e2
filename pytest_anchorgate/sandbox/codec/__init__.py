"""Plain data as text and back: all that ever crosses between a judge and a candidate.

The text is JSON (RFC 8259, with Python's ``NaN`` and ``Infinity``). What JSON has stands for
itself; everything else is an array whose first item is a tag: ``decode.DECODERS`` lists them.

Containers that a call can change are counted in the order of their first appearance, by both
sides alike: ``["r", n]`` is the n-th again, and a reply may say what became of the n-th.
"""
