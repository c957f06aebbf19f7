#!/usr/bin/env python3
"""Makes the spreadsheet and the presentation of this folder with openpyxl and python-pptx.

    python3 make_office.py .
"""
import datetime
import sys

import openpyxl
from openpyxl.comments import Comment
from pptx import Presentation
from pptx.util import Inches

DAY = datetime.datetime(2024, 1, 31, 8, 30)


def make_sheet(path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "费用 & 预算"
    sheet.append(["日期", "项目", "金额", "比例"])
    sheet.append([datetime.date(2024, 1, 31), "服务器", 1234.5, 0.1 + 0.2])
    sheet.append([datetime.datetime(2024, 2, 29, 8, 30, 15), "硬盘", None, True])
    sheet["A4"] = datetime.time(18, 45)
    sheet["B4"] = '=B2&"（续）"'
    sheet["C5"] = 5
    sheet["C5"].number_format = '"人民币"0.00'
    sheet["C5"].comment = Comment("含税价格", "审计")
    sheet["D6"] = datetime.date(1900, 1, 1)
    other = book.create_sheet("Totals")
    other["C3"] = "all"
    other["D3"] = "x<y & z"
    book.properties.title = "预算表"
    book.properties.creator = "李雷"
    book.properties.created = DAY
    book.save(path)


def make_slides(path):
    slides = Presentation()
    slide = slides.slides.add_slide(slides.slide_layouts[0])
    slide.shapes.title.text = "语义搜索"
    slide.placeholders[1].text = "Find by meaning"
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text = "How it works"
    frame = slide.placeholders[1].text_frame
    frame.text = "先切分"
    paragraph = frame.add_paragraph()
    paragraph.text = "then embed"
    paragraph.level = 1
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    for row in range(2):
        for column in range(2):
            table.cell(row, column).text = "格%d%d" % (row, column)
    slide.notes_slide.notes_text_frame.text = "记得演示。"
    # The title is drawn last.
    title = slide.shapes.title._element
    title.getparent().append(title)
    slide = slides.slides.add_slide(slides.slide_layouts[6])
    slide.shapes.add_textbox(0, 0, 100, 100).text_frame.text = "没有标题"
    # The slide without a title is shown second.
    ids = slides.slides._sldIdLst
    ids.insert(1, ids[2])
    # What makes the file large and is not used.
    used = [slide.slide_layout for slide in slides.slides]
    for layout in list(slides.slide_layouts):
        if layout not in used:
            slides.slide_layouts.remove(layout)
    package = slides.part.package
    for key, relation in list(package._rels.items()):
        if relation.reltype.endswith("/thumbnail"):
            package._rels.pop(key)
    slides.core_properties.title = "演示"
    slides.core_properties.author = "李雷"
    slides.core_properties.created = DAY
    slides.save(path)


make_sheet(sys.argv[1] + "/sheet.xlsx")
make_slides(sys.argv[1] + "/slides.pptx")
