"""The trail (全过程案卷): the whole case as one signed PDF/A-3, its records attached.

`chapters` writes it as HTML in pieces, `press` makes a PDF of each piece, `binding` joins them,
numbers the pages and attaches the records, `seal` signs, and `make` does all of it. Pieces are kept
under the hash of their HTML, so that a grown case renders only what is new.
"""
