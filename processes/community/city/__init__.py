"""A whole city of demo data: cases that were walked through the one door, copied in bulk.

`patterns` reads a walked case into forms with blanks; `copies` fills them in, byte for byte as the
door would have written them; `ground` makes the estates and people; `store` writes rows in bulk;
`making` plans and does it all. For trying out sizes: ``manage.py generate``.
"""
