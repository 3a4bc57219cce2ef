"""Surveys: written as XLSForm, answered by link, compared with how many answered."""
