"""A table as people have it: names, commas in quotes, coordinates and numbers."""

from __future__ import annotations

AIRPORTS = """\
name,country,lat,lon,passengers
London Heathrow,United Kingdom,51.4706,-0.4619,79
São Paulo,Brazil,-23.4356,-46.4731,41
"Gander, NL",Canada,48.9369,-54.5681,1
Tokyo Haneda,Japan,35.5523,139.78,79
"""
LON_LAT = [[-0.4619, 51.4706], [-46.4731, -23.4356], [-54.5681, 48.9369], [139.78, 35.5523]]
PASSENGERS = [79.0, 41.0, 1.0, 79.0]
