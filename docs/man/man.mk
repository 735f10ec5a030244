# `make man` turns the scdoc sources into the roff pages that stand beside them in the tree, so that
# only who changes a page needs scdoc. The verbs of labctl(1) come out of labctl's own table
# (tests/unit/test_opts.c holds the page against it). Included by the Makefile.
.PHONY: man
man: $(BUILD)/labctl
	@$(BUILD)/labctl __synopsis >$(BUILD)/verbs.scd
	@for f in docs/man/*.scd; do \
		sed -e '/^@VERBS@$$/{r $(BUILD)/verbs.scd' -e 'd}' $$f | scdoc >$${f%.scd} || exit 1; \
	done
