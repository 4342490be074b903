"""The methods that BOSHNAS is compared with, each as its authors describe it, carried over to a finite pool."""
