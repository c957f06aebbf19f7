#!/usr/bin/env python3
"""Made words.png: two lines in black on white, with Pillow 13.0 and Debian's fonts-wqy-microhei.

    make_words.py words.png
"""
import sys

from PIL import Image, ImageDraw, ImageFont

font = ImageFont.truetype("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 40)
image = Image.new("L", (1000, 260), "white")
draw = ImageDraw.Draw(image)
draw.text((40, 40), "鲸鱼是生活在海洋里的哺乳动物。", fill="black", font=font)
draw.text((40, 150), "Whales are mammals that live in the sea.", fill="black", font=font)
image.quantize(4).save(sys.argv[1], optimize=True)
