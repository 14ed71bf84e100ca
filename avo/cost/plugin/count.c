/* Counts, for qemu-user 7.2 (plugin API 1), how often each block of guest code in
   an address range is executed, between marks that the guest sets.

   A mark is the system call getpgid(MARK, label): at each, every block that ran
   since the last one is written as a line "label address instructions runs", the
   numbers in decimal. Arguments: lo=ADDR,hi=ADDR,out=FILE.

   Distributions ship qemu without its plugin header; the declarations used are
   written out here, from the documentation of the interface. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VISIBLE __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct plugin_info {
	const char *target;
	struct {
		int min, current;
	} version;
	bool system_emulation;
};
enum { INLINE_ADD_U64 = 0 };

typedef void (*translated_fn)(plugin_id, struct qemu_plugin_tb *);
typedef void (*syscall_fn)(plugin_id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
			   uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_fn);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *, uint64_t);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, syscall_fn);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

VISIBLE int qemu_plugin_version = 1;

enum { GETPGID = 155, MARK = 0x7f1e7f1e };

struct block {
	uint64_t address, instructions, runs, written;
	struct block *next;
};

static uint64_t lo, hi;
static FILE *out;
static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	uint64_t address = qemu_plugin_tb_vaddr(tb);
	if (address < lo || address >= hi)
		return;
	struct block *b = calloc(1, sizeof *b);
	if (!b)
		abort();
	b->address = address;
	b->instructions = qemu_plugin_tb_n_insns(tb);
	pthread_mutex_lock(&lock);
	b->next = blocks;
	blocks = b;
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->runs, 1);
}

static void called(plugin_id id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
		   uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
	if (number != GETPGID || a1 != MARK)
		return;
	pthread_mutex_lock(&lock);
	for (struct block *b = blocks; b; b = b->next) {
		if (b->runs != b->written)
			fprintf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", a2, b->address, b->instructions,
				b->runs - b->written);
		b->written = b->runs;
	}
	fflush(out);
	pthread_mutex_unlock(&lock);
}

VISIBLE int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "lo=", 3))
			lo = strtoull(argv[i] + 3, NULL, 0);
		else if (!strncmp(argv[i], "hi=", 3))
			hi = strtoull(argv[i] + 3, NULL, 0);
		else if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	}
	if (!out || hi <= lo)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_vcpu_syscall_cb(id, called);
	return 0;
}
