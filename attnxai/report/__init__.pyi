from .contact_sheet import draw_contact_sheet as draw_contact_sheet
from .document import ModelPart as ModelPart
from .document import ReportContent as ReportContent
from .document import write_report as write_report
