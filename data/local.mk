# A service of systemd's for each user, where systemd looks for those of this prefix.
systemduserunitdir = $(prefix)/lib/systemd/user
systemduserunit_DATA = data/ernie.service
EXTRA_DIST += data/ernie.service.in
CLEANFILES += data/ernie.service

data/ernie.service: data/ernie.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) data && \
		$(SED) 's|@bindir[@]|$(bindir)|' $(srcdir)/data/ernie.service.in >$@
