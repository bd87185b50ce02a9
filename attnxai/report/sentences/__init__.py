"""Every sentence that the report chooses by rule, as templates; a module for each part of the page."""
